export { checkOrder, type OrderCheck, type OrderReject, wholeLots } from './constraint.ts';
export {
  fundingCost,
  fundingPayments,
  nextFundingMs,
  type TradeCost,
  tradeCost,
} from './cost.ts';
export { openRisk, type RiskPhase, type RiskState, stepRisk } from './risk.ts';
export { type SizingState, size } from './sizing.ts';
export {
  type ConstraintConfig,
  type CostConfig,
  constraintSchema,
  costSchema,
  type RiskConfig,
  riskSchema,
  type SizingConfig,
  sizingSchema,
  type TradeConfig,
  tradeConfigSchema,
} from './types.ts';
