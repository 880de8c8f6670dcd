/** Binance's REST errors: an HTTP status, a negative code and a message. */
export class RestError extends Error {
  readonly status: number
  readonly code: number

  constructor(code: number, message: string, status = 400) {
    super(message)
    this.name = 'RestError'
    this.status = status
    this.code = code
  }
}

export const invalidSymbol = (): RestError => new RestError(-1121, 'Invalid symbol.')

export const missingParameter = (name: string): RestError =>
  new RestError(-1102, `Mandatory parameter '${name}' was not sent, was empty/null, or malformed.`)

export const invalidParameter = (name: string): RestError =>
  new RestError(-1130, `Data sent for parameter '${name}' is not valid.`)
