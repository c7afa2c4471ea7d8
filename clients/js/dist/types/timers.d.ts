export declare class Timers {
    #private;
    set(name: string, delay: number, action: () => void): void;
    has(name: string): boolean;
    clear(name: string): void;
    clearAll(): void;
}
