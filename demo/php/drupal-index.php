<?php
/**
 * A front controller of our own in place of Drupal's: reads the settings of the site that was asked for, its database
 * as the site's own user, and renders a page of it through the site's module and theme. Whatever is missing (a file, a
 * table, a log-in) ends in Drupal's own sentence and status 500. Writes nothing.
 */
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);

/** As Drupal looks: without `sites.php`, and for whoever has no directory, the default one. */
function demo_site_path($root) {
  if (!is_file($root . '/sites/sites.php')) {
    return 'sites/default';
  }
  $sites = array();
  require $root . '/sites/sites.php';
  $parts = explode(':', strtolower($_SERVER['HTTP_HOST']));
  $name = isset($parts[1]) ? $parts[1] . '.' . $parts[0] : $parts[0];
  $path = 'sites/' . basename(isset($sites[$name]) ? $sites[$name] : $parts[0]);
  return is_dir("$root/$path") ? $path : 'sites/default';
}

function demo_connect($settings) {
  $socket = isset($settings['unix_socket']) ? $settings['unix_socket'] : null;
  $database = new mysqli('localhost', $settings['username'], $settings['password'], $settings['database'], 0, $socket);
  $database->set_charset('utf8mb4');
  return $database;
}

function demo_rows($database, $query) {
  return $database->query($query)->fetch_all(MYSQLI_ASSOC);
}

/** Throws at the first file that the database knows and the disk does not have, or not in that size. */
function demo_check_files($database, $root, $path) {
  $bytes = 0;
  foreach (demo_rows($database, 'SELECT uri, filesize FROM file_managed ORDER BY fid LIMIT 500') as $row) {
    list($scheme, $name) = explode('://', $row['uri'], 2);
    $file = "$root/$path/" . ($scheme === 'private' ? 'private/files/' : 'files/') . $name;
    clearstatcache(true, $file);
    if (!is_file($file) || filesize($file) !== (int) $row['filesize']) {
      throw new RuntimeException("file of the database is not there: {$row['uri']}");
    }
    $bytes += filesize($file);
  }
  return $bytes;
}

try {
  $root = __DIR__;
  $path = demo_site_path($root);
  if (!is_file("$root/$path/settings.php")) {
    throw new RuntimeException('no settings.php');
  }
  $databases = array();
  $app_root = $root;
  $site_path = $path;
  require "$root/$path/settings.php";
  $database = demo_connect($databases['default']['default']);

  require_once "$root/$path/modules/custom/harbour/harbour.module";
  $state = harbour_state($database);
  $rows = 0;
  foreach ($state['tables'] as $table) {
    $rows += (int) demo_rows($database, 'SELECT COUNT(*) AS n FROM `' . str_replace('`', '``', $table) . '`')[0]['n'];
  }
  $page = array(
    'name' => $state['name'],
    'tables' => count($state['tables']),
    'rows' => $rows,
    'bytes' => demo_check_files($database, $root, $path),
    'berths' => demo_rows($database, 'SELECT name, length_m, label FROM berth_overview ORDER BY id LIMIT 5'),
    'nodes' => demo_rows($database, 'SELECT nid, title, author FROM recent_content ORDER BY changed DESC, nid LIMIT 10'),
  );
  ob_start();
  require "$root/$path/themes/quay/page.tpl.php";
  $html = ob_get_clean();
  header('Content-Type: text/html; charset=utf-8');
  header('X-Generator: Drupal');
  echo $html;
} catch (Throwable $error) {
  while (ob_get_level() > 0) {
    ob_end_clean();
  }
  error_log($error->getMessage());
  http_response_code(500);
  header('Content-Type: text/plain; charset=utf-8');
  echo "The website encountered an unexpected error. Please try again later.\n";
}
