/** Texts that are numbers as programs write them. */

/** Texts of numbers that are not 0; where they are read as 0, as 1e-400 is, a double cannot hold them. */
export const VANISHED = /^[^eE]*[1-9]/;

/** Texts of digits alone: beyond 2^53 a double may not hold them. */
export const WHOLE = /^\s*[-+]?\d+(?:\.0*)?\s*$/;

/** Texts of numbers that show more than their value: a plus, or zeros before other digits. */
export const FORMED = /^(?:\+[\d.]|[-+]?0\d)/;

export function isNumberText(text: string): boolean {
  return /^\s*[-+]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?|nan|inf(?:inity)?)\s*$/i.test(text);
}

/** Whether a text is a finite number. */
export function isPlainNumber(text: string): boolean {
  return isNumberText(text) && Number.isFinite(Number(text));
}

/** Whether a whole-number text is neither the value of a double nor what a double is written as. */
export function isRounded(text: string): boolean {
  const digits = /^\s*[-+]?(\d+)(?:\.0*)?\s*$/.exec(text)?.[1];
  if (digits === undefined) return false;
  const number = Number(digits);
  if (Number.isSafeInteger(number) || !Number.isFinite(number)) return false;
  return BigInt(digits) !== BigInt(number) && String(number) !== digits;
}

export function isVanished(text: string): boolean {
  return Number(text) === 0 && VANISHED.test(text);
}

/** Of whole numbers; of 0 and another this one. */
export const greatestDivisor = (a: number, b: number): number => (b === 0 ? a : greatestDivisor(b, a % b));
