/**
 * Opaque rectangles by the ten thousand: they are written as pixels and drawn as one picture, which
 * takes the same time however many there are. A canvas would take as long for each as for a large
 * one. Sizes are of bitmap pixels.
 */
export class Raster {
  readonly #context = document.createElement('canvas').getContext('2d', {
    willReadFrequently: true,
  })!
  #image: ImageData | undefined
  #pixels = new Uint32Array()
  #width = 0
  #height = 0
  #has_any = false
  readonly #colours = new Map<string, number>()

  /** Nothing is drawn yet. */
  begin(width: number, height: number): void {
    if (width !== this.#width || height !== this.#height || this.#image === undefined) {
      const { canvas } = this.#context
      canvas.width = this.#width = width
      canvas.height = this.#height = height
      this.#image = this.#context.createImageData(width, height)
      this.#pixels = new Uint32Array(this.#image.data.buffer)
    } else if (this.#has_any) this.#pixels.fill(0)
    this.#has_any = false
  }

  /** What is outside is cut off. `colour`: see `colourOf`. */
  fill(left: number, top: number, width: number, height: number, colour: number): void {
    const pixels = this.#pixels
    const row = this.#width
    const from = left < 0 ? 0 : left
    const to = left + width > row ? row : left + width
    const last = top + height > this.#height ? this.#height : top + height
    for (let y = top < 0 ? 0 : top; y < last; y++) {
      const start = y * row
      for (let at = start + from; at < start + to; at++) pixels[at] = colour
    }
    this.#has_any = true
  }

  /** Draws what was filled. */
  paint(context: CanvasRenderingContext2D): void {
    if (!this.#has_any || this.#image === undefined) return
    this.#context.putImageData(this.#image, 0, 0)
    context.drawImage(this.#context.canvas, 0, 0)
  }

  /** `text` is `#rrggbb` or `rgb(r g b)`. */
  colourOf(text: string): number {
    let colour = this.#colours.get(text)
    if (colour === undefined) {
      const parts = text.startsWith('#')
        ? [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16))
        : text.match(/\d+/g)!.map(Number)
      // In the order of the bytes in memory, whatever the machine's is.
      colour = new Uint32Array(Uint8Array.of(parts[0]!, parts[1]!, parts[2]!, 255).buffer)[0]!
      this.#colours.set(text, colour)
    }
    return colour
  }
}
