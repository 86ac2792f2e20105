// Native code: how it is built and how it is called.
export {
  addressOf,
  type BoosterHandle,
  builtLightgbmPath,
  type DatasetHandle,
  type FloatMatrix,
  findLightgbm,
  type LightgbmInfo,
  type LightgbmLibrary,
  lightgbmInfo,
} from './lightgbmLibrary.ts';
