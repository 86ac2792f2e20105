// HTTP: Open Inference Protocol v2 and our own paths, as framework-free handlers behind Express.
export { type Route, routesOf } from './routes.ts';
export { type ListenOptions, type RunningServer, startServer } from './server.ts';
export { createService, type Phase, type Service, type ServiceLimits } from './service.ts';
