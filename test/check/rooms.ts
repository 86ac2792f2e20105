// The one-way road of imports: for each room, the rooms it may import from. The only data of the arrow test.

const data = ['core', 'data/market', 'data/feature', 'data/dataset', 'data/store'];
const models = [
  'models/score',
  'models/trade',
  'models/backtest',
  'models/evaluate',
  'models/artifact',
];
const fitting = [
  'training/native',
  'training/gbdt',
  'training/tsmixer',
  'training/baseline',
  'training/validate',
];
const search = [
  'hpo/study',
  'hpo/sample',
  'hpo/prune',
  'hpo/journal',
  'hpo/importance',
  'hpo/storage',
  'hpo/run',
];
const serving = ['serving/release', 'serving/load', 'serving/route', 'serving/monitor'];

/** Room (folder, or a main file) -> rooms it may import. A room may always import itself. */
export const arrows: Readonly<Record<string, readonly string[]>> = {
  core: [],
  'core/page': ['core'],
  'data/market': ['core'],
  'data/feature': ['core', 'data/market'],
  'data/dataset': ['core', 'data/market', 'data/feature'],
  'data/store': ['core'],
  'data/main.ts': data,
  'models/score': ['core'],
  'models/trade': ['core'],
  'models/backtest': ['core', 'data/market', 'data/feature', 'models/score', 'models/trade'],
  'models/evaluate': ['core', 'models/backtest'],
  'models/artifact': ['core', 'data/feature', 'models/score', 'models/trade'],
  'models/main.ts': [...data, ...models],
  'models/backtestCommand.ts': [...data, ...models],
  'training/native': ['core'],
  'training/gbdt': ['core', 'data/dataset', 'models/score', 'training/native'],
  'training/tsmixer': ['core', 'models/score', 'training/native'],
  'training/baseline': ['core', 'data/dataset', 'models/score'],
  'training/validate': ['core', 'data/dataset', 'models/backtest', 'models/evaluate'],
  'training/report': ['core/page', ...data, ...models, ...fitting],
  'training/main.ts': [...data, ...models, ...fitting, 'training/retrain', 'training/report'],
  'training/retrain': [...data, ...models, ...fitting, 'training/report'],
  'hpo/study': ['core'],
  'hpo/sample': ['core', 'hpo/study'],
  'hpo/prune': ['core', 'hpo/study'],
  'hpo/journal': ['core', 'hpo/study'],
  'hpo/importance': ['core', 'hpo/study'],
  'hpo/storage': ['core', 'data/store', 'hpo/study'],
  'hpo/run': ['core', ...search],
  'hpo/objective': [...data, ...models, ...fitting, 'training/retrain', 'hpo/study', 'hpo/run'],
  'hpo/stages': [...data, ...models, ...search, 'training/retrain', 'hpo/objective'],
  'hpo/report': ['core', 'core/page', ...search, 'hpo/stages'],
  'hpo/main.ts': [
    ...data,
    ...models,
    ...search,
    'training/native',
    'training/retrain',
    'hpo/objective',
    'hpo/stages',
    'hpo/report',
  ],
  'serving/release': ['core', 'models/artifact', 'models/backtest', 'models/evaluate'],
  'serving/load': ['core', 'models/artifact', 'models/score'],
  'serving/route': [
    'core',
    'data/feature',
    'data/market',
    'models/score',
    'models/trade',
    'serving/load',
  ],
  'serving/monitor': ['core'],
  'serving/http': ['core', ...serving],
  'serving/main.ts': [...data, ...models, ...serving, 'serving/http'],
  'serving/gate.ts': [...data, 'serving/release'],
  'sluice.ts': [
    'core',
    'data/main.ts',
    'models/main.ts',
    'models/backtestCommand.ts',
    'training/main.ts',
    'hpo/main.ts',
    'serving/main.ts',
    'serving/gate.ts',
  ],
};

/** Folders whose files may import anything: they stand outside the road. */
export const outside = ['test', 'bench'];

/** Packages that several files may import; any other package has one adapter file. */
export const sharedPackages = ['zod'];
