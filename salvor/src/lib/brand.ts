/** A type that holds the same bytes as another and can't be put in its place: minted only by the file that defines it. */
export type Brand<T, Name extends string> = T & { readonly '~brand': Name };
