// A few of many, where all would be too many to look at.

/** At most `count` of some items, spread evenly over their order. */
export function evenly<T>(items: readonly T[], count: number): T[] {
  const kept = Math.min(items.length, count);
  return Array.from({ length: kept }, (_, i) => items[Math.floor((i * items.length) / kept)]!);
}
