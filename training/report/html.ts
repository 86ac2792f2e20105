// One self-contained HTML file: tables and pictures of a retrain, readable without network or script.

import { isoTime } from '../../core/index.ts';
import { card, cards, escapeHtml, renderPage, section, table } from '../../core/page/index.ts';
import {
  drawCalibration,
  drawEquity,
  drawFolds,
  drawImportance,
  drawLearning,
  drawWindows,
} from './charts.ts';
import { engineName } from './text.ts';
import type {
  ArmReport,
  ArmWindow,
  EnsembleReport,
  NeuralReport,
  PairedDifference,
  RetrainReport,
} from './types.ts';

/** The report as an HTML document. Every number it shows stands in the report's JSON too. */
export function renderReport(report: RetrainReport): string {
  const sections = [
    verdictSection(report),
    section('Arms', armTables(report)),
    ...networkSections(report),
    section('Equity and drawdown, validation', drawEquity(report.arms, 'validation')),
    section('Equity and drawdown, forward OOS', drawEquity(report.arms, 'forward_oos')),
    section('Windows', drawWindows(report) + windowTable(report)),
    section('Rules of promotion', `<div class="text">${ruleTable(report)}</div>`),
    section('Folds and leak audit', drawFolds(report.folds) + foldTable(report)),
    `<div class="pair">${section('Calibration', drawCalibration(report.calibration))}${section('Feature importance', drawImportance(report.importance))}</div>`,
    section('Lineage', `<div class="text">${lineageTable(report)}</div>`),
  ];
  return renderPage({
    title: `Sluice: ${report.name} ${report.run_id}`,
    heading: report.name,
    lead: summarySentence(report),
    body: sections.join('\n'),
  });
}

function summarySentence({ data, windows, run_source }: RetrainReport): string {
  const simulated = data.sources.some(({ venue }) => venue === 'simulator');
  return `${data.symbols.join(', ')} ${data.timeframe}, ${day(data.from)} to ${day(data.to)}, ${data.rows.toLocaleString('en')} rows of ${simulated ? 'simulated' : 'real'} data; run_source ${run_source}; forward OOS from ${day(windows.forward_oos.from)}.`;
}

function verdictSection(report: RetrainReport): string {
  const promoted = report.promoted_policy;
  const figures = [
    card('Promotion', promoted ?? 'nothing promoted', promoted === null ? 'warn' : 'good'),
    card(
      'Gate',
      report.gate?.status ?? 'not asked',
      report.gate?.status === 'pass' ? 'good' : 'warn',
    ),
    card(
      'Leak audit',
      `${report.folds.reduce((sum, fold) => sum + fold.overlap, 0)} overlaps`,
      'good',
    ),
    card(
      'Forward OOS touched',
      `${report.oos_touches} time${report.oos_touches === 1 ? '' : 's'}`,
      report.oos_touches > 1 ? 'warn' : 'good',
    ),
  ];
  const reasons = [
    ...report.arms.flatMap((arm) => arm.reasons.map((reason) => `${arm.policy}: ${reason}`)),
    ...(report.gate?.reasons ?? []).map((reason) => `gate: ${reason}`),
  ];
  const list = reasons.map((reason) => `<li>${escapeHtml(reason)}</li>`).join('');
  return `${cards(figures)}${list === '' ? '' : `<ul class="reasons">${list}</ul>`}`;
}

type ArmMetric = readonly [title: string, value: (window: ArmWindow) => string];

const armMetrics: readonly ArmMetric[] = [
  ['net bps a day', ({ net_return_per_day: found }) => (found ? bps(found.estimate) : '–')],
  [
    '95 % interval',
    ({ net_return_per_day: found }) => (found ? `${bps(found.low)} to ${bps(found.high)}` : '–'),
  ],
  ['net return', ({ metrics }) => percent(metrics.total_return)],
  [
    'sharpe_daily',
    ({ metrics }) =>
      `${number(metrics.sharpe_daily)}${metrics.vol_floor_applied ? ' (vol floor)' : ''}`,
  ],
  ['days', ({ metrics }) => String(metrics.observation_days)],
  ['sharpe_step_raw', ({ metrics }) => number(metrics.sharpe_step_raw)],
  ['PSR 2012', ({ statistics }) => number(statistics.psr_2012_v1)],
  ['PSR 2025', ({ statistics }) => number(statistics.psr_2025_v1)],
  ['DSR', ({ statistics }) => number(statistics.dsr_2014_v1)],
  ['MinTRL days', ({ statistics }) => trackRecord(statistics.min_trl_2012_days)],
  ['max drawdown', ({ metrics }) => percent(metrics.max_drawdown)],
  ['pnl before cost', ({ metrics }) => metrics.pnl_before_cost.toFixed(0)],
  ['pnl after cost', ({ metrics }) => metrics.pnl_after_cost.toFixed(0)],
  ['turnover a day', ({ metrics }) => number(metrics.turnover)],
  ['reject rate', ({ metrics }) => percent(metrics.reject_rate)],
  ['hit rate', ({ metrics }) => percent(metrics.hit_rate)],
  ['exposure', ({ metrics }) => percent(metrics.exposure)],
  ['rank IC', ({ rank_ic }) => number(rank_ic)],
];

/** Metrics run down and arms across, so that the table never grows wider than the page. */
function armTables({ arms }: RetrainReport): string {
  const head = ['metric', ...arms.map((arm) => `${arm.policy}${verdict(arm)}`)];
  const one = (window: 'validation' | 'forward_oos' | 'walk_forward') =>
    table(
      head,
      armMetrics.map(([title, value]) => [title, ...arms.map((arm) => value(arm[window]))]),
    );
  return `<h3>validation</h3>${one('validation')}<h3>forward OOS</h3>${one('forward_oos')}<h3>walk-forward</h3>${one('walk_forward')}
<p class="note">Walk-forward joins the test blocks of the search span, each with models fitted on what came before it, by settings that later data have chosen. It is reported; no rule
reads it. The frozen baseline is there refitted in each fold by its own recipe, since the frozen one has seen these days.</p>
<p class="note">Net bps a day: mean daily return after cost with its stationary-bootstrap interval. sharpe_method daily_agg_v1; sharpe_step_raw is a diagnostic and no gate reads it.</p>`;
}

/** Nothing for trees alone. */
function networkSections({ neural, ensemble }: RetrainReport): string[] {
  if (neural === null || ensemble === null) return [];
  return [
    section('Network and blend', choiceTables(neural, ensemble)),
    section('Learning curves', drawLearning(neural)),
  ];
}

function choiceTables(neural: NeuralReport, { alpha, alpha_candidates }: EnsembleReport): string {
  const { shape, lambda, distillation } = neural;
  const lambdas = neural.lambda_candidates.map((one) => [
    chosen(one.lambda, lambda),
    one.validation_loss.toFixed(6),
    number(one.rank_ic),
    String(one.epochs),
    one.seeds.map((run) => run.validation_loss.toFixed(6)).join(' '),
  ]);
  const alphas = alpha_candidates.map((one) => [
    chosen(one.alpha, alpha),
    (1e4 * one.net_return_per_day).toFixed(3),
    number(one.sharpe_daily),
  ]);
  const sentence = `${trainedBy(neural)}${shape.nTokens} tokens of ${shape.nChannels} channels (${neural.channels.map(({ name }) => name).join(', ')}), ${shape.blocks} blocks, hidden ${shape.hidden}, ${neural.epochs} epochs over ${neural.train_rows.toLocaleString('en')} windows.`;
  return `<p>${escapeHtml(sentence)}</p>
<h3>lambda, the weight of the teacher: the least validation loss decides, averaged over the seeds</h3>
${table(['lambda', 'validation loss', 'rank IC', 'epochs', 'loss of each seed'], lambdas)}
<p class="note">Loss: mean squared error relative to that of predicting zero. The network is that of the first seed, whatever the others reached.</p>
<h3>alpha, the weight of the trees in the blend: the best net result on validation decides</h3>
${table(['alpha', 'net bps a day', 'sharpe_daily'], alphas)}
<h3>distillation</h3>${
    distillation === null
      ? '<p>Not compared: the config tries no teacher, or nothing else.</p>'
      : table(
          ['validation, lambda against 0', 'mean difference', 'least of the seeds', 'largest'],
          [
            differenceRow(`loss, lambda ${distillation.lambda}`, distillation.validation_loss),
            differenceRow(`rank IC, lambda ${distillation.lambda}`, distillation.rank_ic),
          ],
        )
  }`;
}

function trainedBy({ engine }: NeuralReport): string {
  return engine === undefined ? '' : `Trained by ${engineName(engine)}. `;
}

const chosen = (candidate: number, choice: number): string =>
  candidate === choice ? `${candidate} (chosen)` : String(candidate);

const differenceRow = (name: string, { mean, least, largest }: PairedDifference): string[] => [
  name,
  ...[mean, least, largest].map((value) => value.toFixed(6)),
];

const verdict = ({ promoted }: ArmReport): string =>
  promoted === null ? ' (control)' : promoted ? ' (promoted)' : ' (not promoted)';

function windowTable({ windows }: RetrainReport): string {
  const rows = Object.entries(windows).map(([name, w]) => [
    name,
    isoTime(w.from),
    isoTime(w.to),
    String(w.rows),
  ]);
  return table(['window', 'from', 'to', 'rows'], rows);
}

function ruleTable({ arms }: RetrainReport): string {
  const rows = arms.flatMap((arm) =>
    arm.checks.map((check) => [
      arm.policy,
      check.rule,
      check.window,
      check.passed ? 'holds' : 'fails',
      check.text,
    ]),
  );
  return table(['arm', 'rule', 'window', 'result', 'measured'], rows);
}

function foldTable({ folds, cpcv_paths }: RetrainReport): string {
  const rows = folds.map((f) => [
    f.scheme,
    String(f.fold + 1),
    `${day(f.test_from)} to ${day(f.test_to)}`,
    String(f.train_rows),
    String(f.test_rows),
    String(f.purged),
    String(f.embargoed),
    String(f.overlap),
    String(f.rounds),
    number(f.rank_ic),
    number(f.r2),
  ]);
  const head = [
    'scheme',
    'fold',
    'test span',
    'train',
    'test',
    'purged',
    'embargoed',
    'overlap',
    'rounds',
    'rank IC',
    'R²',
  ];
  const paths = cpcv_paths.map((p) => [String(p.path + 1), number(p.rank_ic), number(p.r2)]);
  return `${table(head, rows)}<h3>CPCV paths</h3>${table(['path', 'rank IC', 'R²'], paths)}`;
}

function lineageTable(report: RetrainReport): string {
  const rows = [
    ['run_id', report.run_id],
    ['lineage_id', report.lineage_id],
    ['data_version', report.data_version],
    ['feature_version', report.feature_version],
    ['dataset_digest', report.dataset_digest],
    ['config_digest', report.config_digest],
    ['code_version', report.code_version],
    ['seed', String(report.seed)],
    ['as_of', isoTime(report.as_of)],
    ['artifact digest', report.artifact.digest],
    ['artifact path', report.artifact.path],
    ['frozen baseline digest', report.baseline_digest],
    ...report.data.sources.map((source) => [
      `source (${source.venue})`,
      `${source.file} sha256 ${source.sha256}`,
    ]),
  ];
  return table(['what', 'value'], rows as string[][]);
}

const day = (ms: number): string => isoTime(ms).slice(0, 10);
const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
const number = (value: number | null): string => (value === null ? '–' : value.toFixed(4));
const bps = (share: number): string => (1e4 * share).toFixed(2);
const trackRecord = (days: number | 'infinite' | null): string =>
  days === null ? '–' : days === 'infinite' ? '∞' : days.toFixed(0);
