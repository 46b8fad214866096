<?php
/**
 * One code base, many sites: the name and the port that the visitor asked for say which site's settings are read.
 * `sites/sites.php` maps "port.name" to a site as Drupal's file of that name does.
 */
$sites = array();
require __DIR__ . '/sites/sites.php';
$asked = strtolower(preg_replace('/[^A-Za-z0-9.:-]/', '', isset($_SERVER['HTTP_HOST']) ? $_SERVER['HTTP_HOST'] : ''));
$parts = explode(':', $asked);
$name = isset($parts[1]) ? $parts[1] . '.' . $parts[0] : $parts[0];
$site = isset($sites[$name]) ? $sites[$name] : $parts[0];
$settings = __DIR__ . '/sites/' . basename($site) . '/wp-config.php';
if (!is_file($settings)) {
  http_response_code(404);
  exit("There is no site at this address.\n");
}
require $settings;
