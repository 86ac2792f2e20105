#!/usr/bin/env node
// The command line: maps a command to a room's main, draws progress, prints one result, sets the exit code.

import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import {
  asSluiceError,
  type CommandIo,
  type CommandResult,
  createProgressBar,
  policySchema,
  runSourceSchema,
  SluiceError,
  silent,
  systemClock,
} from './core/index.ts';

type Options = Readonly<Record<string, unknown>>;
type Action<O> = (options: O, io: CommandIo) => Promise<CommandResult>;

/** Runs one command as its user sees it: progress on stderr, the result on stdout, an exit code. */
async function run<O extends Options>(options: O, action: Action<O>): Promise<void> {
  const stop = new AbortController();
  const onInterrupt = () => stop.abort();
  process.once('SIGINT', onInterrupt).once('SIGTERM', onInterrupt);
  await runUntil({ signal: stop.signal }, options, action);
}

/** A command that ends what it has begun after the first Ctrl-C, and stops at the second. */
async function runPatiently<O extends Options>(options: O, action: Action<O>): Promise<void> {
  const [stop, now] = [new AbortController(), new AbortController()];
  const onInterrupt = () => {
    if (stop.signal.aborted) now.abort();
    else process.stderr.write('\nFinishing what runs; once more to stop now.\n');
    stop.abort();
  };
  process.on('SIGINT', onInterrupt).on('SIGTERM', onInterrupt);
  await runUntil({ signal: stop.signal, stopNow: now.signal }, options, action);
  process.off('SIGINT', onInterrupt).off('SIGTERM', onInterrupt);
}

async function runUntil<O extends Options>(
  signals: Pick<CommandIo, 'signal' | 'stopNow'>,
  options: O,
  action: Action<O>,
): Promise<void> {
  const json = options.json === true;
  const progress = options.progress === false ? null : createProgressBar(process.stderr);
  const io: CommandIo = {
    env: process.env,
    clock: systemClock,
    progress: progress ?? silent,
    ...signals,
  };
  try {
    const result = await action(options, io);
    progress?.stop();
    process.stdout.write(`${json ? JSON.stringify(result.json) : result.text}\n`);
    process.exitCode = result.exit;
  } catch (thrown) {
    progress?.stop();
    fail(thrown, json);
  }
}

function fail(thrown: unknown, json: boolean): void {
  const error = asSluiceError(thrown);
  const { code, message, context } = error;
  if (json) process.stdout.write(`${JSON.stringify({ error: { code, message, context } })}\n`);
  process.stderr.write(`${message} [${code}]\n`);
  if (code === 'internal' && thrown instanceof Error) process.stderr.write(`${thrown.stack}\n`);
  process.exitCode = error.exit;
}

const positiveInteger = (text: string): number => {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new InvalidArgumentError('Expected a positive whole number.');
};
const number = (text: string): number => {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('Expected a number.');
};
const time = (text: string): number => {
  const value = Date.parse(text);
  if (Number.isFinite(value)) return value;
  throw new InvalidArgumentError('Expected a time such as 2026-01-31 or 2026-01-31T12:00:00Z.');
};
const policy = (text: string): string => {
  if (policySchema.safeParse(text).success) return text;
  throw new InvalidArgumentError(
    'Expected tabular_only, nn_only or blend_alpha_x with a number x.',
  );
};

const outOption = () =>
  new Option('--out <dir>', 'folder for everything produced').default('artifacts');
const runSourceOption = () =>
  new Option('--run-source <source>', 'who launches this run').choices(runSourceSchema.options);

const engineOption = () =>
  new Option('--engine <engine>', 'what trains the network; tfjs is slow')
    .choices(['native', 'tfjs'])
    .default('native');

const deviceOption = () =>
  new Option(
    '--device <device>',
    'where the network is trained; auto: on a GPU if there is one; default: from the config',
  ).choices(['cpu', 'cuda', 'auto']);
const precisionOption = () =>
  new Option(
    '--precision <precision>',
    'of the matrix products on a GPU; default: from the config',
  ).choices(['tf32', 'fp32']);

/** A command with what every command has: --json, --no-progress and an example in its help. */
function command(parent: Command, name: string, does: string, example: string): Command {
  return parent
    .command(name)
    .description(does)
    .option('--json', 'print exactly one JSON document on stdout')
    .option('--no-progress', 'draw no progress')
    .addHelpText('after', `\nExample:\n  npx sluice ${example}`);
}

const program = new Command('sluice')
  .description('Trains, gates and serves quant models for liquid crypto.')
  .addHelpText(
    'after',
    '\nExit codes: 0 done or pass, 1 failed, 2 bad usage, config or input, 3 gate fails, 4 insufficient_observation.',
  )
  .showSuggestionAfterError()
  .exitOverride()
  .configureOutput({ writeErr: () => {} });

command(
  program,
  'doctor',
  'what this machine has: Node, cores, libraries, database',
  'doctor --json',
)
  .addOption(outOption())
  .action((options) =>
    run(options, async (o, io) => (await import('./training/main.ts')).doctor(o, io)),
  );

const data = program.command('data').description('market bars: import files, or simulate a market');
command(
  data,
  'import',
  'imports bars from CSV, CSV.gz or Parquet; reports gaps, rejects bad rows, repairs nothing',
  'data import --input bars.csv.gz --timeframe 1h --venue binance_spot',
)
  .requiredOption('--input <files...>', 'CSV, CSV.gz or Parquet files with a header')
  .requiredOption('--timeframe <name>', 'length of a bar, such as 5m or 1h')
  .option('--venue <name>', 'exchange and market that the bars come from', 'unknown')
  .addOption(outOption())
  .action((options) =>
    run(options, async (o, io) => (await import('./data/main.ts')).importData(o, io)),
  );
command(
  data,
  'simulate',
  'makes a market with a known amount of predictable return',
  'data simulate --seed 7 --symbols 2 --days 365 --alpha 1',
)
  .option('--seed <n>', 'decides everything', number, 7)
  .option('--symbols <n>', 'number of symbols', positiveInteger, 2)
  .option('--days <n>', 'length in days', positiveInteger, 365)
  .option('--alpha <a>', 'strength of the planted return; 0 plants none', number, 1)
  .addOption(
    new Option('--structure <kind>', 'what the planted return rests on: rows, or the order of bars')
      .choices(['tabular', 'sequence'])
      .default('tabular'),
  )
  .option('--timeframe <name>', 'length of a bar', '1h')
  .addOption(outOption())
  .action((options) =>
    run(options, async (o, io) => (await import('./data/main.ts')).simulateData(o, io)),
  );

const retrain = (name: string, does: string, example: string) =>
  command(program, name, does, example)
    .option('--config <file>', 'config file', 'configs/default.json')
    .option(
      '--data <dir>',
      'folder with the files that the config names, or a bar store; the simulator if absent',
    )
    .addOption(deviceOption())
    .addOption(precisionOption())
    .option('--seed <n>', 'overrides the seed of the config', number)
    .option('--alpha <a>', 'overrides the simulator’s planted return', number)
    .addOption(engineOption())
    .addOption(runSourceOption())
    .option('--as-of <time>', 'creation time of the artifact; default: the current UTC day', time)
    .addOption(outOption());
retrain(
  'retrain',
  'the main job: dataset, LightGBM, TSMixer, ensemble, validation, backtest, gate, signed artifact, report',
  'retrain --config configs/default.json --data ../shared/data',
)
  .option('--threads <n>', 'threads of LightGBM and TSMixer; changes no result', positiveInteger)
  .action((options) =>
    run(options, async (o, io) =>
      (await import('./training/main.ts')).retrain(o, io, await gateOf()),
    ),
  );
retrain(
  'verify-reproducible',
  'retrains with 1, 2 and 3 threads and compares the artifact digests',
  'verify-reproducible --data ../shared/data',
).action((options) =>
  run(options, async (o, io) =>
    (await import('./training/main.ts')).verifyReproducible(o, io, await gateOf()),
  ),
);

const train = program.command('train').description('one stage of the main job alone');
command(
  train,
  'tsmixer',
  'trains a network and signs it; looks at search and validation, judges nothing',
  'train tsmixer --config configs/default.json --data ../shared/data',
)
  .option('--config <file>', 'config file', 'configs/default.json')
  .option(
    '--data <dir>',
    'folder with the files that the config names, or a bar store; the simulator if absent',
  )
  .addOption(engineOption())
  .addOption(deviceOption())
  .addOption(precisionOption())
  .option('--no-teacher', 'no trees and no distillation: lambda 0')
  .option(
    '--checkpoint <dir>',
    'folder to keep the training in; the same command goes on from there',
  )
  .option('--seed <n>', 'overrides the seed of the config', number)
  .option('--alpha <a>', 'overrides the simulator’s planted return', number)
  .option('--as-of <time>', 'creation time of the artifact; default: the current UTC day', time)
  .option('--threads <n>', 'threads; changes no result', positiveInteger)
  .addOption(outOption())
  .action((options) =>
    run(options, async (o, io) => (await import('./training/main.ts')).trainTsmixer(o, io)),
  );

const hpo = program
  .command('hpo')
  .description('hyperparameter search in three stages; its database is Optuna’s');
const storageOption = () =>
  new Option(
    '--storage <where>',
    'SQLite file or postgres://...; default: hpo/optuna_liquid.db in the output folder',
  );
const workersOption = () =>
  new Option('--workers <n>', 'processes; default: two less than the cores').argParser(
    positiveInteger,
  );
const leaseOption = () =>
  new Option(
    '--lease <seconds>',
    'several machines share the storage: trials of one that is silent for so long run elsewhere',
  ).argParser(positiveInteger);
const search = (name: string, does: string, example: string) =>
  command(hpo, name, does, example).addOption(storageOption()).addOption(outOption());
const studyOption = () =>
  new Option('--study <name>', 'any study of the search; default: the newest search');

search(
  'run',
  'searches: coarse, refine, forward confirmation; one that is there already goes on',
  'hpo run --data ../shared/data --workers 2',
)
  .option('--config <file>', 'config of the search', 'configs/hpo.json')
  .option(
    '--data <dir>',
    'folder with the files that the config names, or a bar store; the simulator if absent',
  )
  .option('--trials <n>', 'trials of the first two stages together', positiveInteger)
  .option('--seed <n>', 'overrides the seed of the config', number)
  .option('--deterministic', 'the same trials for any number of workers, and after a kill')
  .addOption(workersOption())
  .addOption(leaseOption())
  .action((options) =>
    runPatiently(options, async (o, io) => (await import('./hpo/main.ts')).hpoRun(o, io)),
  );
search('resume', 'goes on with a search as it was planned', 'hpo resume --workers 2')
  .addOption(studyOption())
  .addOption(workersOption())
  .addOption(leaseOption())
  .action((options) =>
    runPatiently(options, async (o, io) => (await import('./hpo/main.ts')).hpoResume(o, io)),
  );
search('top', 'the best trials of each stage', 'hpo top --count 5')
  .addOption(studyOption())
  .option('--count <n>', 'how many of each stage', positiveInteger, 10)
  .action((options) => run(options, async (o) => (await import('./hpo/main.ts')).hpoTop(o)));
search('export', 'every trial of a search', 'hpo export --format csv > trials.csv')
  .addOption(studyOption())
  .addOption(new Option('--format <format>').choices(['csv', 'json']).default('csv'))
  .action((options) => run(options, async (o) => (await import('./hpo/main.ts')).hpoExport(o)));
search('report', 'writes the report of a search: HTML and JSON', 'hpo report')
  .addOption(studyOption())
  .action((options) =>
    run(options, async (o, io) => (await import('./hpo/main.ts')).hpoReport(o, io)),
  );

command(
  program,
  'backtest',
  'one recorded run of an artifact over stored bars',
  'backtest --artifact artifacts/models/liquid_1h/V --data artifacts/bars/D --run-source maintenance',
)
  .requiredOption('--artifact <dir>', 'artifact directory')
  .requiredOption('--data <dir>', 'bar store folder, as printed by data import')
  .option(
    '--policy <policy>',
    'which score decides; default: the promoted policy, without one the trees where there are any',
    policy,
  )
  .addOption(runSourceOption().default('maintenance'))
  .option(
    '--data-regime <regime>',
    'the regime that you expect; the run is refused if the computed one differs',
  )
  .option('--from <time>', 'first decision', time)
  .option('--to <time>', 'last decision', time)
  .option('--key <file>', 'public key that must have signed the artifact')
  .addOption(outOption())
  .action((options) =>
    run(options, async (o, io) => (await import('./models/backtestCommand.ts')).backtest(o, io)),
  );

command(
  program,
  'gate',
  'the verdict over recorded runs: pass, fail or insufficient_observation',
  'gate --policy tabular_only --json',
)
  .option('--policy <policy>', 'which policy is judged', policy, 'tabular_only')
  .option('--min-completed-runs <n>', 'runs needed before a verdict', positiveInteger)
  .option('--min-observation-days <n>', 'whole UTC days needed before a verdict', positiveInteger)
  .option('--artifact <digest>', 'only runs of this artifact digest')
  .option(
    '--include-source <sources...>',
    'monitoring only: read these run sources; such a verdict is never pass',
  )
  .option(
    '--data-regime <regime>',
    'monitoring only: read this regime; such a verdict is never pass',
  )
  .addOption(outOption())
  .action((options) =>
    run(options, async (o, io) => (await import('./serving/gate.ts')).gate(o, io)),
  );

const artifact = program
  .command('artifact')
  .description('signed model artifacts: keys, signatures, verification');
command(
  artifact,
  'keygen',
  'makes a key pair (ECDSA P-256); the private file is mode 600',
  'artifact keygen --out artifacts/keys',
)
  .option('--out <dir>', 'folder for signing.key.pem and signing.pub.pem', 'artifacts/keys')
  .action((options) =>
    run(options, async (o, io) => (await import('./models/main.ts')).artifactKeygen(o, io)),
  );
command(
  artifact,
  'sign <dir>',
  'signs an artifact directory (OpenSSF Model Signing)',
  'artifact sign DIR --key artifacts/keys/signing.key.pem',
)
  .requiredOption('--key <file>', 'private key, PEM')
  .action((dir, options) =>
    run({ ...options, dir }, async (o, io) =>
      (await import('./models/main.ts')).artifactSign(o, io),
    ),
  );
command(
  artifact,
  'verify <dir>',
  'checks signature, manifest and golden vectors; lists every violation',
  'artifact verify DIR --key artifacts/keys/signing.pub.pem',
)
  .requiredOption('--key <file>', 'public key, PEM')
  .action((dir, options) =>
    run({ ...options, dir }, async (o, io) =>
      (await import('./models/main.ts')).artifactVerify(o, io),
    ),
  );
command(
  artifact,
  'inspect <dir>',
  'shows what an artifact says of itself, without trusting it',
  'artifact inspect DIR',
).action((dir, options) =>
  run({ ...options, dir }, async (o, io) =>
    (await import('./models/main.ts')).artifactInspect(o, io),
  ),
);

command(
  program,
  'serve',
  'the serving process; loopback by default, stops on SIGTERM after draining',
  'serve --artifact artifacts/models/liquid_1h/V --port 8080',
)
  .option('--artifact <dir>', 'artifact directory; default: the newest registered one')
  .option('--host <host>', 'address to listen on', '127.0.0.1')
  .option('--port <n>', 'port; 0 picks a free one', number, 8080)
  .option('--key <file>', 'public key that must have signed the artifact')
  .addOption(outOption())
  .action((options) =>
    run(options, async (o, io) => (await import('./serving/main.ts')).serve(o, io)),
  );

command(program, 'report <run>', 'rebuilds the HTML report of a retrain', 'report RUN')
  .addOption(outOption())
  .action((runId, options) =>
    run({ ...options, runId }, async (o, io) =>
      (await import('./training/main.ts')).rebuildReport(o, io),
    ),
  );

/** The gate, handed to training, which may not import serving. */
async function gateOf() {
  return (await import('./serving/gate.ts')).judgeRuns;
}

/** Commander leaves a command's own errors to its parent's settings only if told. */
function strict(at: Command): void {
  at.exitOverride().configureOutput({ writeErr: () => {} });
  for (const child of at.commands) strict(child);
}

strict(program);
try {
  await program.parseAsync();
} catch (thrown) {
  if (!(thrown instanceof CommanderError)) throw thrown;
  if (thrown.exitCode !== 0) {
    const asked = thrown.code === 'commander.help';
    const message = asked
      ? 'Name a command; npx sluice --help lists them.'
      : thrown.message.replace(/^error: /, '');
    fail(new SluiceError('bad_usage', message), process.argv.includes('--json'));
  }
}
