// A trial before anything is known of it.

import type { TrialDraft } from './storage.ts';

/** It waits for its turn. */
export const unstarted: TrialDraft = {
  state: 'WAITING',
  values: null,
  params: new Map(),
  reports: new Map(),
  userAttributes: new Map(),
  systemAttributes: new Map(),
  startedAt: null,
  completedAt: null,
};
