/** The name, with a prime for each time that it is taken already. */
export function freshName(name: string, isTaken: (name: string) => boolean): string {
  let fresh = name;
  while (isTaken(fresh)) fresh += "'";
  return fresh;
}
