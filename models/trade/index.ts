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
