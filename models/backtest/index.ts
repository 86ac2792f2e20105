export type { BacktestInput, BacktestResult, RejectReason } from './types.ts';
