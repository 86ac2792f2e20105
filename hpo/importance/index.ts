// How much each parameter of a study matters.

export {
  type Importance,
  type ImportanceOptions,
  type ImportanceShare,
  parameterImportance,
} from './importance.ts';
