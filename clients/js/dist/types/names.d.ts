/** `length` random characters that are legal in the names of sessions, groups and commands. */
export declare function randomName(length: number): string;
