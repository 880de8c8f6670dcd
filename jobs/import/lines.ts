/** Lines of a text that arrives in chunks. ASCII, as these files are. */
const LINE_BYTES_MAX = 1 << 20

/** The lines of each chunk at once, without their ends. */
export async function* linesOf(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<readonly string[]> {
  let rest = ''
  for await (const chunk of chunks) {
    const text = rest + Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).toString('latin1')
    const lines = text.split('\n')
    rest = lines.pop()!
    if (rest.length > LINE_BYTES_MAX) throw new RangeError('A line is too long.')
    yield lines.map(withoutReturn)
  }
  if (rest !== '') yield [withoutReturn(rest)]
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line
}
