<?php
/**
 * Plugin Name: Harbour notes
 * Description: Says at the foot of every page how many posts there are and whether the picture of the day is there.
 * Version: 1.4.2
 * Author: The harbour office
 */

if (!defined('ABSPATH')) {
  exit;
}

require_once __DIR__ . '/includes/tide-table.php';

add_action('wp_footer', 'harbour_notes_footer');

function harbour_notes_footer() {
  $posts = wp_count_posts()->publish;
  $pictures = 0;
  foreach (get_posts(array('post_type' => 'attachment', 'numberposts' => -1)) as $attachment) {
    $pictures += is_file(get_attached_file($attachment->ID)) ? 1 : 0;
  }
  printf(
    '<p class="harbour-notes">%d posts, %d pictures, high water %s</p>',
    $posts,
    $pictures,
    esc_html(harbour_notes_high_water($posts))
  );
}
