<?php
/**
 * Installs one WordPress site with WordPress's own installer and gives it something to lose: posts, pages, comments,
 * a picture and a plugin. Reads what it needs as JSON from its standard input: a password has no place in arguments.
 */
$wanted = json_decode(stream_get_contents(STDIN), true);
define('WP_INSTALLING', true);
$_SERVER['HTTP_HOST'] = $wanted['host'];
$_SERVER['SERVER_NAME'] = explode(':', $wanted['host'])[0];
$_SERVER['REQUEST_URI'] = '/';
$_SERVER['REQUEST_METHOD'] = 'GET';
$_SERVER['SERVER_PROTOCOL'] = 'HTTP/1.1';
$_SERVER['REMOTE_ADDR'] = '127.0.0.1';

// Called by the installer where it is there: the one that WordPress brings sends mail.
function wp_new_blog_notification($title, $url, $user, $password) {}

require $wanted['root'] . '/wp-load.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
require_once ABSPATH . 'wp-admin/includes/image.php';
require_once ABSPATH . 'wp-admin/includes/plugin.php';
add_filter('pre_wp_mail', '__return_true');

wp_install($wanted['title'], 'harbourmaster', 'harbourmaster@example.org', true, '', $wanted['password']);
update_option('blogdescription', $wanted['tagline']);
update_option('posts_per_page', 10);
switch_theme($wanted['theme']);
activate_plugin('harbour-notes/harbour-notes.php');

// What the installer writes by itself carries the time of now.
wp_delete_post(1, true);
$author = get_user_by('login', 'harbourmaster')->ID;

$picture = $wanted['picture'];
$upload = wp_upload_bits($picture['name'], null, base64_decode($picture['content']), $picture['month']);
if (!empty($upload['error'])) {
  fwrite(STDERR, $upload['error'] . "\n");
  exit(1);
}
$attachment = wp_insert_attachment(array(
  'post_title' => $picture['title'],
  'post_mime_type' => 'image/png',
  'post_status' => 'inherit',
  'post_author' => $author,
  'post_date' => $wanted['posts'][0]['date'],
), $upload['file'], 0, true);
if (is_wp_error($attachment)) {
  fwrite(STDERR, $attachment->get_error_message() . "\n");
  exit(1);
}
wp_update_attachment_metadata($attachment, wp_generate_attachment_metadata($attachment, $upload['file']));

foreach ($wanted['posts'] as $index => $post) {
  $id = wp_insert_post(wp_slash(array(
    'post_title' => $post['title'],
    'post_content' => $post['content'],
    'post_status' => 'publish',
    'post_author' => $author,
    'post_date' => $post['date'],
    'post_date_gmt' => $post['date'],
    'tags_input' => $post['tags'],
  )), true);
  if (is_wp_error($id)) {
    fwrite(STDERR, $id->get_error_message() . "\n");
    exit(1);
  }
  if ($index % 3 === 0) {
    set_post_thumbnail($id, $attachment);
  }
  foreach ($post['comments'] as $comment) {
    wp_insert_comment(array(
      'comment_post_ID' => $id,
      'comment_author' => $comment['author'],
      'comment_author_email' => 'reader@example.org',
      'comment_content' => $comment['text'],
      'comment_date' => $post['date'],
      'comment_date_gmt' => $post['date'],
      'comment_approved' => 1,
    ));
  }
  clean_post_cache($id);
}
echo json_encode(array('version' => get_bloginfo('version'), 'picture' => wp_get_attachment_url($attachment)));
