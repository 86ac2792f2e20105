import { SluiceError } from '../../../core/index.ts';

/** The SluiceError that the work ends with. */
export async function failure(work: Promise<unknown>): Promise<SluiceError> {
  try {
    await work;
  } catch (thrown) {
    if (thrown instanceof SluiceError) return thrown;
    throw thrown;
  }
  throw new Error('expected the work to fail; it ended well');
}
