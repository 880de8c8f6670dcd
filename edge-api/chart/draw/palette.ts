/** Colours of the canvas. Those of the rest of the page are in style.css. */
export interface Palette {
  readonly ground: string
  readonly text: string
  readonly muted: string
  readonly grid: string
  readonly line: string
  readonly up: string
  readonly down: string
  readonly volume_up: string
  readonly volume_down: string
  readonly accent: string
  readonly hatch: string
  readonly hatch_repaired: string
  readonly hatch_ground: string
  /** Cells from weak to strong: background, and the text on it. */
  readonly buy: readonly string[]
  readonly sell: readonly string[]
  readonly neutral: readonly string[]
  readonly buy_text: string
  readonly sell_text: string
  readonly profile: string
  readonly profile_area: string
  /** Red, green and blue of resting bids and asks at full strength. */
  readonly heat: readonly [number, number, number]
}

export const SHADES = 12

type Rgb = readonly [number, number, number]

/** From the ground's colour to the full one; weak shades can still be told from none. */
function shades(ground: Rgb, full: Rgb): readonly string[] {
  return Array.from({ length: SHADES }, (_, i) => {
    const share = 0.1 + (0.62 * i) / (SHADES - 1)
    const mixed = ground.map((from, at) => Math.round(from + (full[at]! - from) * share))
    return `rgb(${mixed.join(' ')})`
  })
}

const DARK_GROUND: Rgb = [13, 17, 23]
const LIGHT_GROUND: Rgb = [255, 255, 255]

export const PALETTES: { readonly dark: Palette; readonly light: Palette } = {
  dark: {
    ground: '#0d1117',
    text: '#c4cfda',
    muted: '#8b9aa9',
    grid: '#161d27',
    line: '#2a3440',
    up: '#3fb595',
    down: '#e5646b',
    volume_up: 'rgb(63 181 149 / 55%)',
    volume_down: 'rgb(229 100 107 / 55%)',
    accent: '#7ab8ff',
    hatch: 'rgb(232 182 76 / 75%)',
    hatch_repaired: 'rgb(139 154 169 / 45%)',
    hatch_ground: 'rgb(232 182 76 / 7%)',
    buy: shades(DARK_GROUND, [63, 181, 149]),
    sell: shades(DARK_GROUND, [229, 100, 107]),
    neutral: shades(DARK_GROUND, [110, 150, 200]),
    buy_text: '#8ff0d2',
    sell_text: '#ffb0b3',
    profile: 'rgb(122 184 255 / 16%)',
    profile_area: 'rgb(122 184 255 / 32%)',
    heat: [255, 176, 64],
  },
  light: {
    ground: '#ffffff',
    text: '#33404d',
    muted: '#5b6875',
    grid: '#f0f3f6',
    line: '#d6dee6',
    up: '#128467',
    down: '#c8323c',
    volume_up: 'rgb(18 132 103 / 45%)',
    volume_down: 'rgb(200 50 60 / 45%)',
    accent: '#0b5cad',
    hatch: 'rgb(160 100 0 / 70%)',
    hatch_repaired: 'rgb(91 104 117 / 40%)',
    hatch_ground: 'rgb(232 170 30 / 12%)',
    buy: shades(LIGHT_GROUND, [18, 150, 115]),
    sell: shades(LIGHT_GROUND, [214, 60, 70]),
    neutral: shades(LIGHT_GROUND, [70, 120, 190]),
    buy_text: '#04503d',
    sell_text: '#7c0f17',
    profile: 'rgb(11 92 173 / 13%)',
    profile_area: 'rgb(11 92 173 / 26%)',
    heat: [216, 110, 0],
  },
}

/** Options of the chart around its series. */
export function chartColors({ ground, muted, line, grid }: Palette) {
  return {
    layout: {
      background: { color: ground },
      textColor: muted,
      panes: { separatorColor: line, separatorHoverColor: line },
    },
    grid: { vertLines: { color: grid }, horzLines: { color: grid } },
    crosshair: {
      vertLine: { color: muted, labelBackgroundColor: line },
      horzLine: { color: muted, labelBackgroundColor: line },
    },
  }
}

/** Options of the series of the sum of deltas. */
export function deltaColors({ up, down, volume_up, volume_down }: Palette) {
  return {
    topLineColor: up,
    bottomLineColor: down,
    topFillColor1: volume_up,
    topFillColor2: 'transparent',
    bottomFillColor1: 'transparent',
    bottomFillColor2: volume_down,
  }
}
