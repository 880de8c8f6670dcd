/** Lines of a text that arrives in chunks. ASCII, as these files are. */
const LINE_BYTES_MAX = 1 << 20
/** Stands for a longer line: no parser can read it. */
const CUT_LINE = '(a line of more than 1 MiB)'
/** Its UTF-8 bytes as they are read here. */
const BYTE_ORDER_MARK = '\u00ef\u00bb\u00bf'

/** The lines of each chunk at once, without their ends, and without a byte order mark. */
export async function* linesOf(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<readonly string[]> {
  let rest = ''
  let is_cut = false
  let is_first = true
  const finish = (lines: string[]): readonly string[] => {
    if (lines.length === 0) return lines
    if (is_cut) lines[0] = CUT_LINE
    if (is_first) lines[0] = withoutMark(lines[0]!)
    is_cut = false
    is_first = false
    return lines.map(withoutReturn)
  }
  for await (const chunk of chunks) {
    const text = rest + Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).toString('latin1')
    const lines = text.split('\n')
    rest = lines.pop()!
    yield finish(lines)
    if (rest.length <= LINE_BYTES_MAX) continue
    rest = ''
    is_cut = true
  }
  if (rest !== '' || is_cut) yield finish([rest])
}

function withoutMark(line: string): string {
  return line.startsWith(BYTE_ORDER_MARK) ? line.slice(BYTE_ORDER_MARK.length) : line
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line
}
