import { openEmbedded } from '../../../data/store/embedded.ts';
import { openPostgresStorage, openStorage } from '../../../hpo/storage/index.ts';
import {
  findPostgres,
  installHint,
  type PostgresServer,
  startPostgres,
} from '../../data/store/postgresServer.ts';
import { conformance } from './conformance.ts';

const bin = findPostgres();

conformance('PGlite in memory', async () => openPostgresStorage(await openEmbedded(null, () => 0)));

describe('studies on a PostgreSQL server', () => {
  let server: PostgresServer;
  before(async function () {
    if (bin === undefined) {
      process.stderr.write(`\n  ${installHint}\n`);
      this.skip();
    }
    server = await startPostgres(bin);
  });
  after(() => server?.stop());

  conformance('PostgreSQL', async () => openStorage(await server.createDatabase()));
});
