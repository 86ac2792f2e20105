export { type BarPanel, type BarSource, barQuality } from './barPanel.ts';
