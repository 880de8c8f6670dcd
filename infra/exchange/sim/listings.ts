/** The simulated universe: names, start prices, steps, and how active each symbol is. */
import { createListing } from '../listing.ts'
import type { ListedMarket } from '../source.ts'
import { createRandom, seedOf } from './random.ts'

export interface SimulatedSymbol {
  readonly listing: ListedMarket
  /** The start price, in units of the last price decimal; a multiple of tick_units. */
  readonly start_units: number
  readonly tick_units: number
  /** Typical quantity of a level, in steps. */
  readonly typical_steps: number
  /** Share of all events, relative to the other symbols. */
  readonly weight: number
}

/** Most active first. Prices are made up, but realistic. */
const UNIVERSE = `
BTC 64990.9 ETH 1882.58 SOL 141.37 XRP 1.2843 DOGE 0.14236 BNB 611.42 SUI 2.4415
1000PEPE 0.0087315 ADA 0.5127 LINK 14.382 AVAX 21.864 LTC 84.37 BCH 402.16 TRX 0.27415 NEAR 2.713
HYPE 38.412 ENA 0.4712 WIF 0.8125 DOT 4.215 APT 5.0372 ARB 0.3861 OP 0.7214 FIL 2.642 AAVE 172.45
UNI 7.348 WLD 1.0841 INJ 12.973 TIA 2.318 SEI 0.2147 TAO 341.26 ORDI 8.957 ICP 5.312 ETC 17.842
ATOM 4.486 XLM 0.25713 HBAR 0.16832 1000BONK 0.018254 1000SHIB 0.012473 1000FLOKI 0.082317
ONDO 0.8642 FET 0.6713 RENDER 3.8721 JUP 0.4628 LDO 0.9517 CRV 0.6384 GALA 0.016421 SAND 0.28417
MANA 0.30152 APE 0.6627 DYDX 0.5831 PENDLE 4.1275 STX 0.7214 IMX 0.5438 GRT 0.09327 ALGO 0.18543
VET 0.024176 EOS 0.6831 XTZ 0.6972 AXS 2.4351 EGLD 15.274 THETA 0.7428 FLOW 0.3714 KAVA 0.4126
RUNE 1.3572 SNX 0.6743 COMP 46.18 MKR 1527.3 YFI 5214 SUSHI 0.6853 ENJ 0.07512 CHZ 0.04163
ZIL 0.01127 BAT 0.13284 ZEC 42.67 DASH 21.43 XMR 231.84 NEO 5.918 QTUM 2.147 IOTA 0.18361
ONT 0.13172 KSM 15.82 ROSE 0.027134 ONE 0.010243 CELO 0.31246 HOT 0.0010217 ANKR 0.015283
SKL 0.019874 COTI 0.05421 LRC 0.08734 BAND 0.6528 RLC 1.0427 STORJ 0.25871 OCEAN 0.2934
BLUR 0.08713 MASK 1.2741 GMT 0.04627 GMX 13.462 MAGIC 0.14253 HIGH 0.4721 HOOK 0.10283 ID 0.17426
EDU 0.13251 ARKM 0.5183 CYBER 1.3427 MAV 0.05612 WAXP 0.02147 POLYX 0.13841 GAS 3.127
TOKEN 0.014276 BEAMX 0.0068314 PYTH 0.11273 DYM 0.2731 MANTA 0.2174 ALT 0.028416 XAI 0.04937
ZETA 0.1724 RONIN 0.4827 STRK 0.12482 PIXEL 0.03416 PORTAL 0.04281 AEVO 0.08973 ETHFI 1.0362
BOME 0.0015827 W 0.07148 TNSR 0.12846 SAGA 0.2273 REZ 0.011738 BB 0.08124 NOT 0.0018263 IO 0.7412
ZK 0.04937 LISTA 0.16273 ZRO 1.8742 BLAST 0.0021846 BANANA 18.437 RARE 0.05217 G 0.011846
SYN 0.12473 VOXEL 0.05328 ALPACA 0.0613 TURBO 0.0042516 POPCAT 0.3127 CATI 0.08143 HMSTR 0.0021743
EIGEN 1.1537 SCR 0.2437 MOODENG 0.14862 GOAT 0.11438 PNUT 0.22416 ACT 0.05137 HIPPO 0.0018427
AKT 1.1624 ME 0.8216 MOVE 0.12731 VIRTUAL 1.4362 USUAL 0.07481 AIXBT 0.13275 FARTCOIN 0.9147
KMNO 0.05823 CGPT 0.08914 COOKIE 0.15237 SWARMS 0.021473 SONIC 0.21374 TRUMP 9.137 PENGU 0.012837
S 0.3172 VINE 0.03841 ANIME 0.015273 BERA 2.0847 LAYER 0.6213 KAITO 1.2473 IP 4.3172 SHELL 0.14231
RED 0.3317 NIL 0.31462 PARTI 0.18247 INIT 0.4713 SIGN 0.07281 HAEDAL 0.11374 SYRUP 0.4527
NXPC 0.8431 HUMA 0.032174 SOPH 0.03517 RESOLV 0.15834 HOME 0.027146 SPK 0.06213 SAHARA 0.08374
H 0.05182 NEWT 0.2314 BMT 0.07413 KERNEL 0.14726 BABY 0.05138 WCT 0.33142 HYPER 0.18362
DEEP 0.13927 STO 0.08714 PUNDIX 0.28143 JASMY 0.013724 AR 5.1274 MINA 0.16384 GLM 0.2137
CFX 0.07814 ACH 0.018462 SSV 6.142 LQTY 0.7124 RDNT 0.02174 JOE 0.1537
`
  .trim()
  .split(/\s+/)

export const UNIVERSE_SIZE = UNIVERSE.length / 2

/** The first `count` symbols of the universe, most active first. */
export function listedSymbols(count: number): readonly SimulatedSymbol[] {
  return Array.from({ length: count }, (_, rank) =>
    describeSymbol(`${UNIVERSE[rank * 2]!}USDT`, Number(UNIVERSE[rank * 2 + 1]), rank),
  )
}

/** These symbols, most active first. An unknown symbol gets a price derived from its name. */
export function namedSymbols(names: readonly string[]): readonly SimulatedSymbol[] {
  return names.map((name, rank) => {
    const known = UNIVERSE.indexOf(name.replace(/USDT$/, ''))
    const price =
      known % 2 === 0
        ? Number(UNIVERSE[known + 1])
        : 10 ** (4 * createRandom(seedOf(1, name))() - 1)
    return describeSymbol(name, price, rank)
  })
}

function describeSymbol(symbol: string, price: number, rank: number): SimulatedSymbol {
  const magnitude = Math.floor(Math.log10(price))
  // Like Binance's largest contracts: two decimals, and a tick of ten units of the last one.
  const tick_units = magnitude >= 4 ? 10 : 1
  const price_decimals = magnitude >= 2 ? 2 : Math.min(7, 4 - Math.min(1, magnitude))
  const qty_decimals = magnitude >= 2 ? 3 : magnitude >= 1 ? 2 : magnitude >= 0 ? 1 : 0
  const start_units = Math.round((price * 10 ** price_decimals) / tick_units) * tick_units
  // A typical level is worth a few thousand dollars.
  const typical_steps = Math.max(5, Math.round((4_000 / price) * 10 ** qty_decimals))
  // In a universe of 200, shares fall from about 8 % to a few hundredths of a percent.
  const weight = (rank + 9) ** -1.3 * Math.exp(-rank / 120)
  const listing = createListing(symbol, price_decimals, qty_decimals, tick_units)
  return { listing, start_units, tick_units, typical_steps, weight }
}
