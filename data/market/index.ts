// Bars: imported or simulated into the store, loaded onto a uniform grid.

export { type ImportOptions, importBars } from './barImport.ts';
export { type BarPanel, type BarSource, barQuality } from './barPanel.ts';
export type { ImportReport, SymbolReport } from './barReport.ts';
export { readReport } from './barStore.ts';
export { datasetRow } from './datasetRow.ts';
export {
  type PlantedStructure,
  plantedStructures,
  simulatedHorizonBars,
} from './plantedReturn.ts';
export { storeMarket } from './simulatedStore.ts';
export {
  type SimulatedMarket,
  type SimulatorOptions,
  simulateMarket,
} from './simulator.ts';
export { loadPanel, type PanelRequest } from './storedPanel.ts';
