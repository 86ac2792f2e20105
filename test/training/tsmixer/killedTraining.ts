// A training that is run by a process of its own, to be killed: `node killedTraining.ts CHECKPOINT`.

import { fitTsmixer, nativeEngine, type TsmixerRequest } from '../../../training/tsmixer/index.ts';
import { plainMember, smallRequest } from './problem.ts';

/** The same training for whoever begins it and whoever goes on; about a second. */
export function killedRequest(path?: string): TsmixerRequest {
  const request = smallRequest({ members: [{ ...plainMember, dropout: 0.1 }], epochs: 2000 });
  if (path === undefined) return request;
  const place = { path, normalization: [], ensembleAlpha: null, trainReportHash: null };
  return { ...request, checkpoint: place };
}

if (import.meta.main) await fitTsmixer(nativeEngine(), killedRequest(process.argv[2]));
