import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readCodeModules } from './code-modules.ts';
import { TestHost } from './layouts/test-host.ts';

const INSTALL = `<?php
/* function views_update_9999() {} */
// function views_update_9998() {}
function views_update_7300(&$sandbox) {}
function views_update_7301() {}
/** Implements hook_update_last_removed(). */
function views_update_last_removed(): int {
  return 6013;
}
function other_update_7999() {}
`;

test('modules of a Drupal 7 are told from their files, the one nearest to the site counting', () => {
  using host = new TestHost();
  host.drupal('home/p7', '7.98');
  host.write('home/p7/modules/system/system.info', 'name = System\nversion = VERSION\ncore = 7.x\n');
  host.write('home/p7/modules/system/system.module', '<?php\n');
  host.write('home/p7/modules/system/system.install', '<?php\nfunction system_update_7084() {}\n');
  host.write('home/p7/sites/all/modules/contrib/views/views.info', 'name = Views\nversion = "7.x-3.25"\n');
  host.write('home/p7/sites/all/modules/contrib/views/views.module', '<?php');
  host.write('home/p7/sites/all/modules/contrib/views/views.install', INSTALL);
  host.write('home/p7/sites/all/modules/contrib/views/tests/views_test.info', 'name = Test');
  host.write('home/p7/sites/all/themes/ours/ours.info', 'name = Ours\n');
  host.write('home/p7/profiles/standard/standard.info', 'name = Standard');
  host.write('home/p7/profiles/standard/standard.profile', '<?php');
  host.write('home/p7/sites/a.example/modules/ctools/ctools.info', 'name = CTools\n');
  host.write('home/p7/sites/a.example/modules/ctools/ctools.module', '<?php');
  host.write('home/p7/sites/all/modules/split/split.info', 'name = Split');
  host.write('home/p7/sites/all/modules/split/split.module', '<?php');
  host.write('home/p7/sites/all/modules/split/split.install', "<?php include_once 'split.update.inc';\n");
  host.write('home/p7/sites/all/modules/split/split.update.inc', '<?php function split_update_7004() {}\n');
  const root = host.at('home/p7');
  const found = readCodeModules({ root, site: `${root}/sites/a.example`, homes: [host.at('home')] });
  assert.equal(found.core, '7.98');
  assert.deepEqual(
    [...found.modules.values()]
      .map(({ name, type, version, schema, removed }) => [name, type, version, schema, removed])
      .toSorted(([one], [other]) => String(one).localeCompare(String(other))),
    [
      ['ctools', 'module', null, null, null],
      ['ours', 'theme', null, null, null],
      ['split', 'module', null, 7004, null],
      ['standard', 'profile', null, null, null],
      ['system', 'module', null, 7084, null],
      ['views', 'module', '7.x-3.25', 7301, 6013],
    ],
  );
});

test('modules of a Drupal 10 are told from their files, through links within the home and no others', () => {
  using host = new TestHost();
  host.drupal('home/p10/web', '10.2.3');
  const write = (path: string, name: string, type: string): void =>
    host.write(
      `${path}/${name}.info.yml`,
      `name: ${name}\ntype: ${type}\nversion: '2.1.0'\ncore_version_requirement: ^10\n`,
    );
  write('home/p10/web/core/modules/node', 'node', 'module');
  write('home/shared/pathauto', 'pathauto', 'module');
  host.write('home/shared/pathauto/pathauto.install', '<?php\nfunction pathauto_update_8108(): void {}\n');
  host.link('home/p10/web/modules/contrib/pathauto', host.at('home/shared/pathauto'));
  host.link('home/p10/web/modules/contrib/again', '..');
  write('elsewhere/secret', 'secret', 'module');
  host.link('home/p10/web/modules/contrib/secret', host.at('elsewhere/secret'));
  write('home/p10/web/themes/custom/ours', 'ours', 'theme');
  const root = host.at('home/p10/web');
  const found = readCodeModules({ root, site: null, homes: [host.at('home')] });
  assert.deepEqual([...found.modules.keys()].toSorted(), ['node', 'ours', 'pathauto']);
  assert.equal(found.modules.get('pathauto')?.schema, 8108);
  assert.equal(found.modules.get('pathauto')?.version, '2.1.0');
  assert.equal(found.isCut, false);
});
