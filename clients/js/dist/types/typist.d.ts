export declare class Typist {
    #private;
    /** Whether it is time to tell it again. */
    may(group: string): boolean;
}
