// The first single row is scored at once; rows that ask while a run is on its way go together in the next one. Nobody
// waits for company, and no answer changes: with one thread a row's score does not depend on its batch (the golden
// replay checks that).

/** Scores rows together; what it returns may be overwritten by the next call. */
type ScoreRows = (rows: readonly Float32Array[]) => Promise<Float64Array>;

interface Waiting {
  readonly row: Float32Array;
  readonly resolve: (score: Float64Array) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Turns a scorer of many rows into one of single rows that many callers share.
 * @param maxRows most rows of one run
 * @returns scores one row; runs never overlap
 */
export function joinRows(
  scoreRows: ScoreRows,
  maxRows: number,
): (row: Float32Array) => Promise<Float64Array> {
  const waiting: Waiting[] = [];
  let running = false;

  async function runWaiting(): Promise<void> {
    running = true;
    while (waiting.length > 0) {
      const joined = waiting.splice(0, maxRows);
      try {
        const scores = await scoreRows(joined.map(({ row }) => row));
        joined.forEach(({ resolve }, i) => {
          resolve(Float64Array.of(scores[i]!));
        });
      } catch (error) {
        for (const { reject } of joined) reject(error);
      }
    }
    running = false;
  }

  return (row) =>
    new Promise((resolve, reject) => {
      waiting.push({ row, resolve, reject });
      if (!running) void runWaiting();
    });
}
