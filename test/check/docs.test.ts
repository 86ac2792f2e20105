import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { errorRegistry, projectPath } from '../../core/index.ts';
import { errorPagePath, renderErrorPage } from './errorPage.ts';
import { readSources } from './sources.ts';

describe('the documents', () => {
  it('list in docs/errors.md exactly the codes of the registries', () => {
    expect(readFileSync(errorPagePath, 'utf8')).to.equal(renderErrorPage());
  });

  it('know no error code that nothing uses', () => {
    const text = readSources()
      .filter(({ path }) => path !== 'core/errors.ts' && !path.startsWith('test/'))
      .map((source) => source.text)
      .concat(
        readFileSync(projectPath('core', 'errors.ts'), 'utf8').split(
          'export function asSluiceError',
        )[1]!,
      )
      .join('\n');
    const unused = Object.keys(errorRegistry).filter((code) => !text.includes(`'${code}'`));
    expect(unused).to.deep.equal([]);
  });
});
