/** Every bound of the engine, with its unit and where the number comes from. */
const KiB = 1024;
const MiB = 1024 * KiB;

/** Smallest and largest piece that the chunker cuts, bytes: the format's own. */
export const MIN_CHUNK_BYTES: number = 512 * KiB;
export const MAX_CHUNK_BYTES: number = 8 * MiB;

/** A pack is closed once its payload has this many bytes (restic's default); real packs overshoot by up to one blob. */
export const PACK_TARGET_BYTES: number = 16 * MiB;

/** Open data packs per worker: which of them takes a blob is random, so that pack sizes tell less about chunk sizes. */
export const OPEN_DATA_PACKS: number = 2;

/** Largest pack that is read: restic's largest target (128 MiB), one largest blob, a largest header. */
export const MAX_PACK_BYTES: number = 160 * MiB;

/** Largest header of a pack: the format's own. */
export const MAX_PACK_HEADER_BYTES: number = 16 * MiB;

/**
 * A pack is also closed at so many blobs: of tiny ones its header would become larger than that, and what is held of them
 * (their entries in several threads, the text of the index file) more than the pack. Two that are not full may be put
 * together.
 */
export const MAX_PACK_BLOBS: number = 50_000;

/** An index file is saved once it lists this many blobs (restic's number). */
export const INDEX_FULL_BLOBS: number = 50_000;

/** Largest index file that is read, bytes as stored: 50,000 blobs and one largest pack are below 40 MiB of JSON. */
export const MAX_INDEX_BYTES: number = 128 * MiB;

/** Largest plaintext that a small file (config, key, lock, snapshot) may have. */
export const MAX_SMALL_FILE_BYTES: number = 16 * MiB;

/** Largest plaintext of an index file: what JavaScript holds as one text ends at 512 MiB. */
export const MAX_INDEX_PLAIN_BYTES: number = 256 * MiB;

/** Largest plaintext of one blob that is opened: data blobs end at 8 MiB, single trees of 500 MB were seen. */
export const MAX_BLOB_BYTES: number = 1024 * MiB;

/** A listing larger than this (some 12,000 entries) is gone through in pieces; only its compressed form is held whole. */
export const WHOLE_LISTING_BYTES: number = 4 * MiB;

/** Keys that are tried with a password: restic's number. */
export const MAX_KEYS_TRIED: number = 20;

/** Files of one read job, and their bytes: large enough to hide a message, small enough to spread over workers. */
export const READ_BATCH_FILES: number = 64;
export const READ_BATCH_BYTES: number = 8 * MiB;

/** Entries of one directory that are looked at before what was found is handed on: some 1.5 MB of listing. */
export const SCAN_SECTION_ENTRIES: number = 4096;

/** Files that wait to be read before walking on is put off. */
export const MAX_WAITING_FILES: number = 4096;

/** Jobs that one worker has before it, the running one included: the next is there when one ends. */
export const JOBS_PER_WORKER: number = 2;

/** Bytes of a byte stream that go to a worker in one message, and how many such pieces may be on their way. */
export const STREAM_PIECE_BYTES: number = 1 * MiB;
export const STREAM_PIECES_IN_FLIGHT: number = 4;

/** One read of a pack on restore: at most this much, and a gap between two wanted blobs up to this is read over. */
export const RANGE_BYTES: number = 8 * MiB;
export const RANGE_GAP_BYTES: number = 256 * KiB;

/** Tree packs kept whole in memory while trees are read, bytes in all. */
export const TREE_CACHE_BYTES: number = 48 * MiB;

/** Kept in memory of data blobs while files are read out of a snapshot. */
export const DATA_CACHE_BYTES: number = 32 * MiB;

/** Small pieces of one file that are read together: enough to hide what a read costs, and two such are held. */
export const VIEW_BATCH_BYTES: number = 2 * MiB;

/** Problems that one run keeps in full; further ones are counted. */
export const MAX_PROBLEMS: number = 10_000;
