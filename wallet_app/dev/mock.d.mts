export function mockMiddleware(options?: { strict?: boolean }): (request: unknown, response: unknown, next: (error?: unknown) => void) => void
export function createWorld(base: string, options?: { sealAfter?: number }): unknown
export function handle(world: unknown, request: unknown, response: unknown): Promise<boolean>
