// Draws progress on stderr: one bar per stage on a terminal, one line per stage elsewhere.

import { type Options, SingleBar } from 'cli-progress';
import type { Progress } from './progress.ts';

/** A stream that progress is drawn on, usually stderr. */
export type ProgressStream = NodeJS.WriteStream;

/** A {@link Progress} that people can watch; `stop` clears the bar. */
export interface ProgressBar extends Progress {
  stop(): void;
}

const style: Options = {
  format: ' {bar} {percentage}%  {stage}  {note}',
  barsize: 24,
  hideCursor: true,
  clearOnComplete: true,
  fps: 8,
};

/** Makes the display for a stream. */
export function createProgressBar(stream: ProgressStream): ProgressBar {
  return stream.isTTY ? barOn(stream) : linesOn(stream);
}

function barOn(stream: ProgressStream): ProgressBar {
  let bar: SingleBar | null = null;
  return {
    update(stage, doneFrac, note = '') {
      if (bar === null) {
        bar = new SingleBar({ ...style, stream });
        bar.start(100, 0, { stage, note });
      }
      bar.update(Math.floor(100 * doneFrac), { stage, note });
    },
    stop() {
      bar?.stop();
      bar = null;
    },
  };
}

function linesOn(stream: ProgressStream): ProgressBar {
  let last = '';
  return {
    update(stage) {
      if (stage === last) return;
      last = stage;
      stream.write(`${stage}\n`);
    },
    stop() {},
  };
}
