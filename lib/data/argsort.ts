const BITS = 11;
const BUCKETS = 1 << BITS;

/**
 * Finite values in ascending order (-0 as 0), and the position each had. A radix sort of the bits of the doubles, from
 * the lowest to the highest: sorting positions by comparison takes several times as long, and `Float64Array.sort` does
 * not give them.
 */
export function argsort(values: Float64Array): { sorted: Float64Array; order: Uint32Array } {
  const count = values.length;
  let sorted = new Float64Array(count);
  let order = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    sorted[i] = values[i]! + 0; // makes -0 a 0
    order[i] = i;
  }
  let nextSorted = new Float64Array(count);
  let nextOrder = new Uint32Array(count);
  const starts = new Uint32Array(BUCKETS);
  // Word 0 of a double is the low one on all platforms that this library supports.
  for (const word of [0, 1]) {
    for (let shift = 0; shift < 32; shift += BITS) {
      const words = new Uint32Array(sorted.buffer);
      starts.fill(0);
      for (let i = 0; i < count; i++) starts[(words[2 * i + word]! >>> shift) & (BUCKETS - 1)]!++;
      if (starts.includes(count)) continue; // all values agree in these bits
      for (let bucket = 0, start = 0; bucket < BUCKETS; bucket++) {
        const size = starts[bucket]!;
        starts[bucket] = start;
        start += size;
      }
      for (let i = 0; i < count; i++) {
        const target = starts[(words[2 * i + word]! >>> shift) & (BUCKETS - 1)]!++;
        nextSorted[target] = sorted[i]!;
        nextOrder[target] = order[i]!;
      }
      [sorted, nextSorted] = [nextSorted, sorted];
      [order, nextOrder] = [nextOrder, order];
    }
  }

  // The bits of negative numbers come after those of positive ones and in reverse order.
  const positive = sorted.findLastIndex((value) => value >= 0) + 1;
  if (positive === count) return { sorted, order };
  nextSorted.set(sorted.subarray(positive).reverse());
  nextSorted.set(sorted.subarray(0, positive), count - positive);
  nextOrder.set(order.subarray(positive).reverse());
  nextOrder.set(order.subarray(0, positive), count - positive);
  return { sorted: nextSorted, order: nextOrder };
}
