import { openMemoryStorage } from '../../../hpo/storage/index.ts';
import { conformance } from './conformance.ts';

conformance('memory', async () => openMemoryStorage());
