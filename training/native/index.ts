// Native code: how it is built and how it is called.
export { addressOf } from './foreignCalls.ts';
export { type GpuTools, gpuLines, gpuTools } from './gpuTools.ts';
export {
  type BoosterHandle,
  builtLightgbmPath,
  type DatasetHandle,
  type FloatMatrix,
  findLightgbm,
  type LightgbmInfo,
  type LightgbmLibrary,
  lightgbmInfo,
} from './lightgbmLibrary.ts';
export {
  builtSluicePath,
  findSluice,
  type NativeDevice,
  type NativeTsmixer,
  type NativeTsmixerConfig,
  type NativeTsmixerData,
  type NativeTsmixerMember,
  type NativeTsmixerStats,
  type NativeWatch,
  type Precision,
  type SluiceInfo,
  type SluiceLibrary,
  sluiceInfo,
} from './sluiceLibrary.ts';
