export { fitRidge, type RidgeInput, type RidgeModel } from './ridge.ts';
