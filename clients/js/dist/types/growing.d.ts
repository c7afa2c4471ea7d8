export declare class Growing {
    /** All of it so far. */
    text: string;
    /** Its length in Unicode scalar values. */
    length: number;
    /** A piece of it. What is new of that: a piece may overlap with what is known. A hole cannot be mended from here. */
    add(offset: number, text: string): string;
    /** All of it, as it is in the end. */
    set(text: string): void;
}
