/**
 * What is personal in the tables that the systems themselves have: users and their log-ins, sessions, who commented from
 * where. What modules and plugins add is the hoster's to name (policy `mask.columns`).
 */
import { type MaskRule, parseMaskRule } from '../policies/mask-rule.ts';
import type { Cms } from '../sites/site.ts';

export type MaskPreset = {
  /** Tells the shape by a table and a column of it: without the users nothing is masked. */
  readonly users: { readonly table: string; readonly column: string };
  readonly rules: readonly MaskRule[];
};

const EACH_DRUPAL = ['sessions=rows', 'flood=rows', 'authmap.authname=name', 'authmap.data=empty'];

/** Drupal 6 and 7, and Backdrop: names of tables that only some of them have are passed over. */
const OLD_DRUPAL = [
  ...EACH_DRUPAL,
  'users.name=name',
  'users.pass=password',
  'users.mail=mail',
  'users.init=mail',
  'users.data=empty',
  'users.signature=empty',
  'comments.name=name',
  'comments.mail=mail',
  'comments.homepage=empty',
  'comments.hostname=ip',
  'comment.name=name',
  'comment.mail=mail',
  'comment.homepage=empty',
  'comment.hostname=ip',
  'contact.recipients=mail',
  'accesslog=rows',
  'watchdog=rows',
  'openid_association=rows',
];

/** From Drupal 8 on. */
const NEW_DRUPAL = [
  ...EACH_DRUPAL,
  'users_field_data.name=name',
  'users_field_data.pass=password',
  'users_field_data.mail=mail',
  'users_field_data.init=mail',
  'users_data=rows',
  'comment_field_data.name=name',
  'comment_field_data.mail=mail',
  'comment_field_data.homepage=empty',
  'comment_field_data.hostname=ip',
  'key_value_expire=rows',
  'watchdog=rows',
];

const WORDPRESS = [
  'users.user_login=name',
  'users.user_pass=password',
  'users.user_nicename=name',
  'users.user_email=mail',
  'users.user_url=empty',
  'users.user_activation_key=empty',
  'users.display_name=name',
  'usermeta.meta_value[meta_key=session_tokens|_application_passwords]=list',
  'usermeta.meta_value[meta_key=nickname|first_name|last_name]=name',
  'usermeta.meta_value[meta_key=description|_new_email|community-events-location]=empty',
  'comments.comment_author=name',
  'comments.comment_author_email=mail',
  'comments.comment_author_url=empty',
  'comments.comment_author_IP=ip',
  'comments.comment_agent=empty',
  'options.option_value[option_name=admin_email|new_admin_email]=mail',
  'signups.user_login=name',
  'signups.user_email=mail',
  'signups.activation_key=text',
  'signups.meta=list',
  'registration_log.email=mail',
  'registration_log.IP=ip',
];

export const MASK_PRESETS: Readonly<Record<Cms, readonly MaskPreset[]>> = {
  drupal: [
    { users: { table: 'users_field_data', column: 'pass' }, rules: NEW_DRUPAL.map(readRule) },
    { users: { table: 'users', column: 'pass' }, rules: OLD_DRUPAL.map(readRule) },
  ],
  backdrop: [{ users: { table: 'users', column: 'pass' }, rules: OLD_DRUPAL.map(readRule) }],
  wordpress: [{ users: { table: 'users', column: 'user_pass' }, rules: WORDPRESS.map(readRule) }],
};

function readRule(text: string): MaskRule {
  const rule = parseMaskRule(text);
  if (rule === null) throw new TypeError(`no rule: ${text}`);
  return rule;
}
