/**
 * An exponential tail that begins at an edge and ends where the support does: at distance d from the edge the share
 * (exp(-d / scale) - e) / (1 - e) of its mass lies beyond, e = exp(-length / scale).
 */
export class ExponentialTail {
  readonly mass: number;
  readonly #scale: number;
  readonly #end: number;
  readonly #logHeight: number;

  /** @param length distance from the edge to the end of the support; Infinity where there is none, 0 for no tail */
  constructor(mass: number, scale: number, length: number) {
    this.mass = length > 0 ? mass : 0;
    this.#scale = scale;
    this.#end = Math.exp(-length / scale);
    this.#logHeight = Math.log(this.mass) - Math.log(scale) - Math.log(-Math.expm1(-length / scale));
  }

  /** The mass at distances of at least d. */
  beyond(d: number): number {
    return this.mass === 0
      ? 0
      : (this.mass * Math.max(0, Math.exp(-d / this.#scale) - this.#end)) / (1 - this.#end);
  }

  /** The distance beyond which there is this much mass. */
  distance(mass: number): number {
    return this.mass === 0 ? 0 : -this.#scale * Math.log((mass / this.mass) * (1 - this.#end) + this.#end);
  }

  logPdf(d: number): number {
    return this.mass === 0 ? -Infinity : this.#logHeight - d / this.#scale;
  }
}
