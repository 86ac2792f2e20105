// The report of a retrain in a terminal: a table of arms and a few sentences.

import { isoTime } from '../../core/index.ts';
import type { ArmReport, ArmWindow, EngineReport, RetrainReport } from './types.ts';

/** What `retrain` prints for people: every arm in every window, how it was chosen, the verdicts and where things lie. */
export function renderText(report: RetrainReport, htmlPath: string): string {
  const { data, gate, promoted_policy } = report;
  const origin =
    data.origin === 'simulator' ? 'the simulator' : data.sources.map((s) => s.file).join(', ');
  return [
    `${data.symbols.join(', ')} ${data.timeframe} from ${origin}, ${isoTime(data.from).slice(0, 10)} to ${isoTime(data.to).slice(0, 10)}; recorded as ${report.run_source}.`,
    '',
    ...armTable(report.arms),
    '',
    ...choiceLines(report),
    promoted_policy === null ? 'Nothing was promoted:' : `Promoted: ${promoted_policy}.`,
    ...report.arms.flatMap(({ policy, reasons }) =>
      reasons.map((reason) => `  - ${policy}: ${reason}`),
    ),
    `Gate: ${gate?.status}`,
    ...(gate?.reasons ?? []).map((reason) => `  - ${reason}`),
    `Artifact: ${report.artifact.path}`,
    `  digest ${report.artifact.digest}`,
    `Report: ${htmlPath}`,
  ].join('\n');
}

/** An engine in a few words, with the GPU that it ran on. */
export function engineName({ name, version, device_name, driver }: EngineReport): string {
  const gpu = driver === null ? '' : ` on ${device_name}, whose driver has CUDA ${driver}`;
  return `${name} ${version}${gpu}`;
}

/** How the network and its blend were chosen. */
function choiceLines({ neural, ensemble }: RetrainReport): string[] {
  if (neural === null || ensemble === null) return [];
  const { distillation } = neural;
  const lines = [
    `Network: lambda ${neural.lambda}, ${neural.epochs} epochs, ${neural.train_rows} windows; weight of the trees in the blend ${ensemble.alpha}.`,
  ];
  if (neural.engine !== undefined) lines.push(`Trained by ${engineName(neural.engine)}.`);
  if (distillation !== null) {
    const { mean, least, largest } = distillation.validation_loss;
    lines.push(
      `Distillation: lambda ${distillation.lambda} against 0 changes the validation loss by ${mean.toExponential(2)} (${distillation.seeds} seeds from ${least.toExponential(2)} to ${largest.toExponential(2)}).`,
    );
  }
  return [...lines, ''];
}

function armTable(arms: readonly ArmReport[]): string[] {
  const head = [
    'arm',
    'window',
    'net return',
    'bps/day [95 %]',
    'sharpe_daily',
    'days',
    'max drawdown',
    'turnover/day',
    'rank IC',
    'DSR',
  ];
  const rows = arms.flatMap((arm) =>
    (['validation', 'forward_oos', 'walk_forward'] as const).map((window) => {
      const { metrics, statistics, rank_ic } = arm[window];
      return [
        arm.policy,
        window,
        `${(100 * metrics.total_return).toFixed(2)} %`,
        bpsInterval(arm[window]),
        metrics.sharpe_daily.toFixed(3),
        String(metrics.observation_days),
        `${(100 * metrics.max_drawdown).toFixed(2)} %`,
        metrics.turnover.toFixed(3),
        rank_ic?.toFixed(4) ?? '-',
        statistics.dsr_2014_v1?.toFixed(4) ?? '-',
      ];
    }),
  );
  const widths = head.map((title, k) =>
    Math.max(title.length, ...rows.map((row) => row[k]!.length)),
  );
  return [head, ...rows].map((row) =>
    row.map((cell, k) => (k < 2 ? cell.padEnd(widths[k]!) : cell.padStart(widths[k]!))).join('  '),
  );
}

/** Mean daily net return of an arm with its interval, in bps. */
export function bpsInterval({ net_return_per_day: found }: ArmWindow): string {
  if (found === null) return '-';
  const [mean, low, high] = [found.estimate, found.low, found.high].map((x) =>
    (1e4 * x).toFixed(2),
  );
  return `${mean} [${low}, ${high}]`;
}
