/** Where the API needs a token: it stays in this tab. */
import { useEffect, useRef } from 'preact/hooks'
import { keepToken, readToken } from '../view/token.ts'

export function TokenDialog(props: { onChanged(): void; onClose(): void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  const input = useRef<HTMLInputElement>(null)
  useEffect(() => dialog.current?.showModal(), [])
  return (
    <dialog ref={dialog} aria-labelledby="token-title" onClose={() => props.onClose()}>
      <form
        method="dialog"
        onSubmit={() => {
          keepToken(input.current!.value.trim())
          props.onChanged()
        }}
      >
        <h2 id="token-title">Token</h2>
        <p>
          Needed where the API is not public: with the scopes read and live. It is kept until this
          tab is closed, and is not part of the address.
        </p>
        <label>
          Token
          <input ref={input} type="password" autocomplete="off" value={readToken() ?? ''} />
        </label>
        <p class="buttons">
          <button type="button" onClick={() => dialog.current?.close()}>
            Cancel
          </button>
          <button type="submit" class="primary">
            Use it
          </button>
        </p>
      </form>
    </dialog>
  )
}
