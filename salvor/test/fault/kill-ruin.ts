/** What is done to a site before it is restored, so that its old state and its new one differ in every way that counts. */
import { appendFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DemoHost, DemoSite } from '../../../demo/host.ts';

/** What the page of a ruin says, and no other. */
export const RUINED = 'ruined';

/** A file of PHP that differs between ruin and point: a switch gives it its own time. */
export const CHANGED_PHP = 'modules/custom/harbour/harbour.module';

/** Tables that every site of a kill host has; what is said of them stands in all ruins. */
const RUIN_OF_ALL = `DROP TABLE tickets; DROP SEQUENCE numbers; DROP VIEW ticket_names;
  CREATE TABLE stray (id INT PRIMARY KEY, text TEXT); INSERT INTO stray VALUES (1, 'not in the point');`;

/**
 * Files go, come and change; tables go, come and change; views and a trigger's table too. Its rows and its files are still of
 * one site: the page answers, and says that it is the old one.
 */
export async function ruin(host: DemoHost, site: DemoSite): Promise<void> {
  const rows = site.cms === 'drupal' ? ruinDrupal(site) : ruinWordPress(site);
  writeFileSync(join(site.path, 'stray.txt'), 'not in the point\n');
  await host.mariadb.query(`USE \`${site.database}\`; ${RUIN_OF_ALL} ${rows}`);
}

function ruinDrupal({ path, user }: DemoSite): string {
  rmSync(join(path, 'files/pictures'), { recursive: true });
  writeFileSync(join(path, 'private/stray.txt'), 'not in the point\n');
  renameSync(join(path, 'modules/custom'), join(path, 'modules/moved'));
  renameSync(join(path, 'modules/moved'), join(path, 'modules/custom'));
  appendFileSync(join(path, CHANGED_PHP), '// changed\n');
  return `DELETE FROM sessions; DROP TABLE watchdog;
    CREATE OR REPLACE DEFINER=\`${user}\`@localhost SQL SECURITY INVOKER VIEW recent_content AS
      SELECT nid, CONCAT('${RUINED} ', title) AS title, changed, 'nobody' AS author FROM node_field_data;
    DELETE FROM file_managed WHERE uri LIKE 'public://pictures/%';
    UPDATE harbour_state SET value = REPLACE(REPLACE(value, ',"watchdog"', ''), '"name":"', '"name":"${RUINED} ');`;
}

function ruinWordPress({ path }: DemoSite): string {
  rmSync(join(path, 'wp-content/uploads'), { recursive: true });
  appendFileSync(join(path, 'wp-content/plugins/harbour-notes/harbour-notes.php'), '// changed\n');
  return `DROP TABLE wp_links; DELETE FROM wp_commentmeta;
    UPDATE wp_options SET option_value = CONCAT('${RUINED} ', option_value) WHERE option_name = 'blogname';`;
}
