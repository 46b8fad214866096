<?php
/** When the water is highest, of a tide table that nobody should sail by. */
function harbour_notes_high_water($day) {
  $minutes = (int) (($day * 50 + 375) % 1440);
  return sprintf('%02d:%02d', intdiv($minutes, 60), $minutes % 60);
}
