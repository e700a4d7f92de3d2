export * from 'zcast';
export * from 'zcast/once';
export * from 'zcast/publish';
