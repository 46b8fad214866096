<?php
/**
 * Stands in for the web server in front of one site: hands over what the vhost file says as nginx does with
 * `fastcgi_param`, answers with the status that it says with `return`, serves files that lie in the public part of the
 * site, and gives everything else to PHP. Given a directory of such files it takes the one that has the name of the site
 * that was asked for.
 */
$root = $_SERVER['DOCUMENT_ROOT'];
$vhost = getenv('DEMO_VHOST') ?: '';
if (is_dir($vhost)) {
  $vhost .= '/' . basename(strtolower(explode(':', $_SERVER['HTTP_HOST'])[0]));
}
if (preg_match('/^\s*return\s+(\d+);/m', (string) @file_get_contents($vhost), $found)) {
  http_response_code((int) $found[1]);
  return true;
}
foreach (preg_grep('/^\s*fastcgi_param\s/', (array) @file($vhost)) as $line) {
  if (preg_match('/^\s*fastcgi_param\s+(\w+)\s+(\S*);/', $line, $found)) {
    $_SERVER[$found[1]] = trim($found[2], '"');
  }
}

$path = rawurldecode((string) parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH));
if (strpos($path, '..') !== false || preg_match('~/private(/|$)|/settings\.php|/drushrc\.php|/\.~', $path)) {
  http_response_code(403);
  echo "403 Forbidden\n";
  return true;
}
if (is_dir($root . $path) && is_file(rtrim($root . $path, '/') . '/index.php')) {
  $path = rtrim($path, '/') . '/index.php';
}
if (is_file($root . $path)) {
  if (substr($path, -4) !== '.php') {
    return false;
  }
  $_SERVER['SCRIPT_NAME'] = $_SERVER['PHP_SELF'] = $path;
  $_SERVER['SCRIPT_FILENAME'] = $root . $path;
  chdir(dirname($root . $path));
  require $root . $path;
  return true;
}
if (preg_match('~^/sites/[^/]+/(files|wp-content)/~', $path)) {
  http_response_code(404);
  echo "404 Not Found\n";
  return true;
}
$_SERVER['SCRIPT_NAME'] = $_SERVER['PHP_SELF'] = '/index.php';
$_SERVER['SCRIPT_FILENAME'] = $root . '/index.php';
chdir($root);
require $root . '/index.php';
return true;
