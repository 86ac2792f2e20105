// The rows that an import refused, from its tables `rejected` (a rule was broken) and `duplicates` (a repeat).

import type { StoredReport } from './barReport.ts';
import type { Database } from './duckdb.ts';

const listed = 1000;

/** What was refused of one symbol. */
export interface RejectionCounts {
  readonly offGrid: number;
  readonly duplicates: number;
  readonly conflicting: number;
}

/** What is needed of a source to name a row's file and line. */
export interface RowPlace {
  readonly name: string;
  readonly firstOrdinal: number;
  readonly firstLine: number;
}

type Rejections = Pick<StoredReport, 'rejected' | 'rejected_count' | 'rejected_by_kind'> & {
  readonly bySymbol: ReadonlyMap<string, RejectionCounts>;
};

/**
 * Lists and counts what was refused.
 * @param withRepeats false while the table `duplicates` is not there yet
 */
export async function readRejections(
  database: Database,
  sources: readonly RowPlace[],
  withRepeats: boolean,
): Promise<Rejections> {
  await database.run(`CREATE OR REPLACE VIEW refused AS
    SELECT ordinal, source, symbol, reason, NULL AS kept_ordinal, NULL AS kept_source FROM rejected
    ${withRepeats ? repeats : ''}`);
  const byKind =
    await database.rows(`SELECT split_part(reason, ':', 1) AS kind, count(*)::DOUBLE AS n
    FROM refused GROUP BY 1 ORDER BY 1`);
  const rejected_by_kind = Object.fromEntries(
    byKind.map(({ kind, n }) => [String(kind), Number(n)]),
  );
  return {
    rejected: await firstRejected(database, sources),
    rejected_count: Object.values(rejected_by_kind).reduce((sum, n) => sum + n, 0),
    rejected_by_kind,
    bySymbol: await countBySymbol(database),
  };
}

const repeats = `UNION ALL SELECT ordinal, source, symbol,
  CASE WHEN conflicting THEN 'duplicate_conflicting: ' ELSE 'duplicate_identical: ' END, kept_ordinal, kept_source FROM duplicates`;

async function firstRejected(
  database: Database,
  sources: readonly RowPlace[],
): Promise<StoredReport['rejected']> {
  const rows =
    await database.rows(`SELECT ordinal::DOUBLE AS ordinal, source::INTEGER AS source, reason,
      kept_ordinal::DOUBLE AS kept_ordinal, kept_source::INTEGER AS kept_source
    FROM refused ORDER BY ordinal LIMIT ${listed}`);
  const place = (ordinal: unknown, source: unknown) => {
    const { name, firstOrdinal, firstLine } = sources[Number(source)]!;
    return { file: name, line: Number(ordinal) - firstOrdinal + firstLine };
  };
  return rows.map((row) => {
    const at = place(row.ordinal, row.source);
    if (row.kept_ordinal === null) return { ...at, reason: String(row.reason) };
    const kept = place(row.kept_ordinal, row.kept_source);
    return { ...at, reason: `${row.reason}the bar stands at ${kept.file}, line ${kept.line}` };
  });
}

async function countBySymbol(database: Database): Promise<ReadonlyMap<string, RejectionCounts>> {
  const rows = await database.rows(`SELECT symbol,
      count_if(reason LIKE 'off_grid:%')::DOUBLE AS off_grid,
      count_if(reason LIKE 'duplicate%')::DOUBLE AS duplicates,
      count_if(reason LIKE 'duplicate_conflicting%')::DOUBLE AS conflicting
    FROM refused WHERE reason LIKE 'off_grid:%' OR reason LIKE 'duplicate%' GROUP BY symbol`);
  return new Map(
    rows.map((row) => [
      String(row.symbol),
      {
        offGrid: Number(row.off_grid),
        duplicates: Number(row.duplicates),
        conflicting: Number(row.conflicting),
      },
    ]),
  );
}
