// The one file that knows TensorFlow.js. It is no dependency of a production install: whoever wants this engine installs it.

import { createRequire } from 'node:module';
import type * as tensorflow from '@tensorflow/tfjs';
import { SluiceError } from '../../core/index.ts';

/** TensorFlow.js, whichever package it came from. */
export type TensorFlow = typeof tensorflow;
export type { Scalar, Tensor, Tensor2D, Tensor3D } from '@tensorflow/tfjs';

/** In order of preference; the plain bundle by its CommonJS file, because its ES modules do not load in Node. */
const installed = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs/dist/tf.node.js'];

/**
 * Loads TensorFlow.js: on a GPU where that package is installed, else the plain one, which computes in JavaScript.
 * @throws SluiceError `tool_missing`
 */
export function loadTensorFlow(bundles: readonly string[] = installed): TensorFlow {
  const require = createRequire(import.meta.url);
  const reasons: string[] = [];
  for (const bundle of bundles) {
    try {
      const tf = require(bundle) as TensorFlow;
      tf.env().set('IS_TEST', true); // else the plain one advertises the other on stderr
      tf.backend(); // else it has none yet, and no name of one
      return tf;
    } catch (error) {
      reasons.push(`${bundle}: ${(error as Error).message.split('\n')[0]}`);
    }
  }
  throw new SluiceError(
    'tool_missing',
    'The engine tfjs needs TensorFlow.js: npm install @tensorflow/tfjs, or @tensorflow/tfjs-node-gpu; or choose the engine native.',
    { reasons },
  );
}
