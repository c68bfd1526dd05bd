import type { Words } from '@/kit/words'
export default {
  call: ['叫应', 'Call'], task: ['任务', 'Task'], letter: ['收不下的数据', 'Data not taken'], silence: ['失联', 'Silent'], teams: ['队伍', 'Team'], people: ['责任人', 'Person'], shelters: ['安置点', 'Shelter'], depots: ['物资库', 'Depot'], tasks: ['任务', 'Task'], loudspeaker: ['大喇叭', 'Loudspeaker'],
  openCommand: ['去指挥页处理', 'Open in Command'], openSystem: ['去系统页处理', 'Open in System'], openMonitor: ['看监测曲线', 'Open the curves'], openReach: ['看送达与叫应', 'Open reach and calls'], openTrace: ['看来龙去脉', 'Open the trace'], gone: ['这件事已经办结或不在您的辖区', 'Done already, or outside your area'], due: ['时限', 'Due'], since: ['起于', 'Since'], state: ['状态', 'State'], code: ['编号', 'Id'], next: ['时限一到系统自动呼叫下一位责任人', 'When time runs out the next person is called by itself'],
} satisfies Words
